package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/sidecar"
)

const (
	trustDomain = "cluster.local"
	// churnPeriod is how long it takes until another pod is replaced.
	churnPeriod = 3 * time.Second
	// arrival is what a pod may take to its certificate, unless something stands still.
	arrival = 2 * time.Minute
	// retryPeriod is for what a webhook may be away for.
	retryPeriod = 200 * time.Millisecond
)

var namespaces = []string{"bank", "mail", "shop"}

const accounts = 8

// settle makes the namespaces and their service accounts.
func (s *soak) settle(ctx context.Context) error {
	for _, name := range namespaces {
		if err := mesh.Join(ctx, s.client, name); err != nil {
			return err
		}
	}
	for place := range accounts {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: accountOf(place)}}
		_, err := s.client.CoreV1().ServiceAccounts(namespaceOf(place)).Create(ctx, account, metav1.CreateOptions{})
		if err != nil {
			return err
		}
	}
	return nil
}

func accountOf(place int) string   { return fmt.Sprintf("app-%d", place%accounts) }
func namespaceOf(place int) string { return namespaces[place%accounts%len(namespaces)] }

// gather has all proxies take part.
func (s *soak) gather(ctx context.Context) error {
	for place := range s.size.proxies {
		if _, err := s.join(ctx, place, false); err != nil {
			return err
		}
	}
	return nil
}

// churn replaces a pod now and then until ctx ends.
func (s *soak) churn(ctx context.Context) error {
	for place := 0; ; place++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(churnPeriod):
		}
		_, err := s.join(ctx, place, false)
		if p := s.crowd.take(); p != nil && err == nil {
			err = s.leave(ctx, p)
		}
		if err = unlessOver(ctx, err); err != nil {
			return err
		}
	}
}

// unlessOver returns the error, unless it came because ctx had ended.
func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// join makes a pod, and has its proxy take part once it has its certificate.
func (s *soak) join(ctx context.Context, place int, mute bool) (*proxy, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.size.arrival, fmt.Errorf("not there after %s", s.size.arrival))
	defer cancel()
	pod, err := s.createPod(ctx, place)
	if err != nil {
		return nil, err
	}
	p, err := s.newProxy(ctx, pod, place, mute)
	if err != nil {
		return nil, err
	}
	if _, err := p.sidecar.Wait(ctx, sidecar.State.Ready); err != nil {
		p.end()
		return nil, fmt.Errorf("pod %s/%s gets no certificate: %w", pod.Namespace, pod.Name, err)
	}
	p.first = p.now().certificate
	s.crowd.add(p)
	return p, nil
}

// leave ends a proxy that takes part no more, and its pod.
func (s *soak) leave(ctx context.Context, p *proxy) error {
	p.end()
	return s.client.CoreV1().Pods(p.pod.Namespace).Delete(ctx, p.pod.Name, metav1.DeleteOptions{})
}

// createPod returns a pod that runs. The webhook may be away for moments, when
// both of its replicas are; not to be believed is a failure.
func (s *soak) createPod(ctx context.Context, place int) (*corev1.Pod, error) {
	pods := s.client.CoreV1().Pods(namespaceOf(place))
	var pod *corev1.Pod
	var last error
	err := wait.PollUntilContextCancel(ctx, retryPeriod, true, func(ctx context.Context) (bool, error) {
		if pod == nil {
			created, err := pods.Create(ctx, application(place), metav1.CreateOptions{})
			if last = err; err != nil {
				s.countRefused(err)
				return false, nil
			}
			pod = created
		}
		found, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if last = err; err != nil {
			return false, nil
		}
		pod = found
		return pod.Status.Phase == corev1.PodRunning && pod.Status.PodIP != "", nil
	})
	if err != nil {
		return nil, fmt.Errorf("make a pod in namespace %s: %w (%v)", namespaceOf(place), err, last)
	}
	if pod.Annotations[injector.BootstrapAnnotation] == "" {
		return nil, fmt.Errorf("pod %s/%s was not injected", pod.Namespace, pod.Name)
	}
	return pod, nil
}

// countRefused counts a webhook whose certificate is refused.
func (s *soak) countRefused(err error) {
	if strings.Contains(err.Error(), "x509:") {
		s.tally.fail("the API server refuses a webhook: %s", err)
	}
}

func application(place int) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: accountOf(place) + "-"},
		Spec: corev1.PodSpec{
			ServiceAccountName: accountOf(place),
			Containers:         []corev1.Container{{Name: "app", Image: "example/app:1"}},
		},
	}
}
