package mesh

import "testing"

func TestAPortIsHTTPByItsProtocolOrElseItsName(t *testing.T) {
	tests := map[string]struct {
		protocol *string
		name     string
		want     bool
	}{
		"nothing":                              {nil, "", false},
		"http":                                 {nil, "http", true},
		"http and more":                        {nil, "http-admin", true},
		"http2":                                {nil, "http2", true},
		"http2 and more":                       {nil, "http2-web", true},
		"gRPC":                                 {nil, "grpc", true},
		"gRPC and more":                        {nil, "grpc-health", true},
		"gRPC-Web":                             {nil, "grpc-web", true},
		"upper case":                           {nil, "HTTP-Admin", true},
		"https":                                {nil, "https", false},
		"https and more":                       {nil, "https-http", false},
		"http at the end":                      {nil, "web-http", false},
		"a word that begins with http":         {nil, "httpd", false},
		"http with an underscore":              {nil, "http_admin", false},
		"h2c, which is no name of a port":      {nil, "h2c", false},
		"a protocol without a name":            {new("http"), "", true},
		"a protocol in upper case":             {new("HTTP"), "", true},
		"HTTP2":                                {new("HTTP2"), "", true},
		"a protocol of the IANA":               {new("http-alt"), "", true},
		"h2c as others write it":               {new("h2c"), "", true},
		"WebSocket as others write it":         {new("ws"), "", true},
		"HTTP/2 of Kubernetes":                 {new("kubernetes.io/h2c"), "", true},
		"WebSocket of Kubernetes":              {new("kubernetes.io/ws"), "", true},
		"WebSocket over TLS":                   {new("kubernetes.io/wss"), "", false},
		"gRPC as protocol":                     {new("grpc"), "", true},
		"gRPC-Web as protocol":                 {new("grpc-web"), "", true},
		"the protocol takes precedence":        {new("https"), "http", false},
		"TLS takes precedence":                 {new("tls"), "http", false},
		"the name of another protocol is not":  {new("http"), "mysql", true},
		"an unknown protocol takes precedence": {new("example.com/http"), "http", false},
		"an empty protocol says nothing":       {new(""), "http", true},
		"blanks are part of a word":            {new(" http"), "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := IsHTTP(test.protocol, test.name); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
