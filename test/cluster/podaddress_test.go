package cluster

import (
	"net/netip"
	"testing"
)

func TestClustersOfAMachineHaveDifferentPodAddresses(t *testing.T) {
	seen := map[netip.Addr]bool{}
	for range 2 {
		addresses, err := newPodAddresses()
		if err != nil {
			t.Fatal(err)
		}
		defer addresses.close()
		for range 300 {
			address, err := addresses.take()
			if err != nil {
				t.Fatal(err)
			}
			if seen[address] {
				t.Fatalf("%s was handed out twice", address)
			}
			if !netip.MustParsePrefix(podRange).Contains(address) || !loopback(address).IsLoopback() {
				t.Fatalf("%s is no pod address, or %s no loopback address", address, loopback(address))
			}
			seen[address] = true
		}
	}
}

func TestAnAddressIsHandedOutAgainAfterAllOthers(t *testing.T) {
	addresses, err := newPodAddresses()
	if err != nil {
		t.Fatal(err)
	}
	defer addresses.close()
	first, err := addresses.take()
	if err != nil {
		t.Fatal(err)
	}
	addresses.release(first)
	count := 1
	for ; ; count++ {
		address, err := addresses.take()
		if err != nil {
			t.Fatal(err)
		}
		if address == first {
			break
		}
	}
	if count < podsPerShare*9/10 {
		t.Errorf("the address came back after %d others", count)
	}
	if address, err := addresses.take(); err == nil {
		t.Errorf("got %s though all are in use", address)
	}
}

func TestOnlyPodAddressesAreTranslated(t *testing.T) {
	for in, want := range map[string]string{
		"10.244.7.9":  "127.244.7.9",
		"10.245.0.1":  "10.245.0.1",
		"192.168.0.1": "192.168.0.1",
		"::1":         "::1",
	} {
		if got := loopback(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("loopback(%s) = %s, want %s", in, got, want)
		}
	}
}
