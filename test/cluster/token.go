package cluster

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// PodToken is a token of the pod's service account that is bound to the pod, as a projected volume would hold it. The API
// server gives none that lives for less than ten minutes.
func (c *Cluster) PodToken(ctx context.Context, namespace, pod, audience string, ttl time.Duration) (string, error) {
	p, err := c.client.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return requestToken(ctx, c.client, p, []string{audience}, ttl)
}

// requestToken asks for a token that is good for as long as the pod lives, at most (TokenRequest, authentication.k8s.io/v1).
// Without audiences it is good for the API server.
func requestToken(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, audiences []string, ttl time.Duration) (string, error) {
	account := pod.Spec.ServiceAccountName
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences:         audiences,
		ExpirationSeconds: new(int64(ttl / time.Second)),
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}
	answer, err := client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("requesting a token of service account %s for pod %s/%s: %w", account, pod.Namespace, pod.Name, err)
	}
	return answer.Status.Token, nil
}
