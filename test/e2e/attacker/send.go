package main

import "net/netip"

func sendSegment(from, to netip.AddrPort, flags string) error { return nil }
