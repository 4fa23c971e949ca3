package certmanager

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/rest"
)

// Client speaks to the API server about cert-manager's objects.
type Client struct {
	rest  rest.Interface
	codec runtime.ParameterCodec
}

// NewClient returns a client that does not limit its own requests: how many are
// under way is limited by who asks for certificates, and by the API server.
func NewClient(config *rest.Config) (*Client, error) {
	version := schema.GroupVersion{Group: certManagerGroup, Version: "v1"}
	scheme := runtime.NewScheme()
	scheme.AddKnownTypeWithName(version.WithKind("CertificateRequest"), &certificateRequest{})
	scheme.AddKnownTypeWithName(version.WithKind("CertificateRequestList"), &certificateRequestList{})
	scheme.AddKnownTypeWithName(version.WithKind(kindIssuer), &issuerObject{})
	scheme.AddKnownTypeWithName(version.WithKind(kindClusterIssuer), &issuerObject{})
	metav1.AddToGroupVersion(scheme, version)

	config = rest.CopyConfig(config)
	config.QPS, config.RateLimiter = -1, nil
	config.APIPath, config.GroupVersion = "/apis", &version
	config.ContentConfig.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	return &Client{client, runtime.NewParameterCodec(scheme)}, nil
}

type requestClient = gentype.ClientWithList[*certificateRequest, *certificateRequestList]

func (c *Client) requests(namespace string) *requestClient {
	return gentype.NewClientWithList(
		"certificaterequests", c.rest, c.codec, namespace,
		func() *certificateRequest { return &certificateRequest{} },
		func() *certificateRequestList { return &certificateRequestList{} },
	)
}

// issuers is the client of Issuers, or of ClusterIssuers, which have no
// namespace.
func (c *Client) issuers(kind, namespace string) *gentype.Client[*issuerObject] {
	resource := "issuers"
	if kind == kindClusterIssuer {
		resource, namespace = "clusterissuers", ""
	}
	return gentype.NewClient(resource, c.rest, c.codec, namespace, func() *issuerObject { return &issuerObject{} })
}
