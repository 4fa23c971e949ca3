// Package replica is what a replica of osm-controller is to the others: whether it
// leads, whether it still reaches the API server, and the certificate that they all
// serve SDS with.
package replica
