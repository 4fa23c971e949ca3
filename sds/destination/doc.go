// Package destination knows whose service accounts may answer at an IP address:
// of the pods that have it, and behind a cluster IP of the pods that the
// Service leads to.
//
// [Index] is told of Pods, Services, EndpointSlices and Nodes, and answers from
// memory. An identity comes from a pod alone, by an address of its status, which
// its node writes. A node may write any address there. So one address is one
// pod's: the node that had it first keeps it, and an address outside of the
// node's podCIDRs, or of a Service, does not count. Addresses that anyone may put
// on a Service, external IPs above all (CVE-2020-8554), have no effect.
//
// [Ports] knows which ports of a pod Services declare HTTP, by the same objects.
//
// The package knows nothing of certificates or of proxies.
package destination
