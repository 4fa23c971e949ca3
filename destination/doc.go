// Package destination knows whose service accounts may answer at an IP address:
// of the pods that have it, and behind a cluster IP of the pods that the
// Service leads to.
//
// [Index] is told of Pods, Services and EndpointSlices, and answers from memory.
// Whoever an object claims to be for, an identity comes from a pod alone, by an
// address of its status, which the kubelet writes. Addresses that anybody may
// put on a Service, external IPs above all (CVE-2020-8554), count for nothing.
//
// [Ports] knows which ports of a pod Services declare HTTP, by the same objects.
//
// The package knows nothing of certificates or of proxies.
package destination
