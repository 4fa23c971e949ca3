package sds

import "time"

// Limits bound what a server holds for its proxies, so that no pod takes what
// others need. A replica is made for 10,000 proxies; each field that is zero
// stands for its default.
type Limits struct {
	// Connections of attested proxies: the 10,000, and a fifth for those that
	// connect anew before their former connection is known to be gone. They take
	// 50 kB each, 600 MB of the gigabyte that the chart allows. Default 12,000.
	Connections int
	// AddressConnections are those of attested proxies from one address. All
	// pods of a node may come from one, where the network translates addresses:
	// 250 pods, twice, and as much again. Default 1,000.
	AddressConnections int
	// Strangers are connections that proved nothing yet. Default 1,024.
	Strangers int
	// AddressStrangers are those from one address. The newest displaces the
	// oldest, so that who holds them all keeps none of its neighbours out.
	// Default 32.
	AddressStrangers int
	// AddressBurst is how many connections from one address are accepted at
	// once, and connectionsPerSecond after that. Default 512, which all pods of a
	// node need that connect anew at the same time.
	AddressBurst int
	// PodConnections are those of one pod. The newest displaces the oldest.
	// Default 8.
	PodConnections int
	// PodStreams are those of one pod, on all of its connections. Default 16.
	PodStreams int
	// PodAddresses are those that one pod asks about, on all of its streams.
	// Default 1,024.
	PodAddresses int
}

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	for _, field := range []struct {
		value    *int
		standard int
	}{
		{&l.Connections, 12_000},
		{&l.AddressConnections, 1_000},
		{&l.Strangers, 1_024},
		{&l.AddressStrangers, 32},
		{&l.AddressBurst, 512},
		{&l.PodConnections, 8},
		{&l.PodStreams, maxStreams},
		{&l.PodAddresses, maxAddresses},
	} {
		if *field.value == 0 {
			*field.value = field.standard
		}
	}
	return l
}

const (
	// connectionsPerSecond is what an address may open in the long run. A TLS
	// handshake takes half a millisecond of CPU.
	connectionsPerSecond = 10
	// strangerTimeout is how long a connection may prove nothing: a handshake and
	// an attestation, each at its slowest.
	strangerTimeout = handshakeTimeout + attestTimeout
	// writeTimeout ends a connection whose other end takes no bytes, and
	// sendTimeout one that takes no response.
	writeTimeout = 20 * time.Second
	sendTimeout  = 20 * time.Second

	// A connection may open streamBurst streams at once, and streamsPerSecond
	// after that; more, and it is closed (CVE-2023-44487).
	streamBurst      = 64
	streamsPerSecond = 4
	// What a pod may ask at once, on all of its streams, and each second after
	// that. More is read later. A request counts for one, and for one more for
	// each namesPerRequest names in it.
	requestBurst      = 512
	requestsPerSecond = 50
	namesPerRequest   = 256
)
