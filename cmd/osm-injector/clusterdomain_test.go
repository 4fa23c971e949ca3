package main

import "testing"

func TestTheClustersDomainIsReadFromThePodsSearchList(t *testing.T) {
	for name, tc := range map[string]struct{ conf, want string }{
		"of a pod":                     {"nameserver 10.96.0.10\nsearch osm-system.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n", "cluster.local"},
		"with those of the node":       {"search osm-system.svc.k8s.corp svc.k8s.corp k8s.corp corp.example\n", "k8s.corp"},
		"after the node's":             {"search corp.example osm-system.svc.k8s.corp\n", "k8s.corp"},
		"of one label":                 {"search osm-system.svc.local svc.local local\n", "local"},
		"with final dots":              {"search osm-system.svc.cluster.local. svc.cluster.local.\n", "cluster.local"},
		"in capitals":                  {"search OSM-System.svc.Cluster.Local\n", "cluster.local"},
		"without its own namespace":    {"search svc.cluster.local cluster.local\n", "cluster.local"},
		"its own namespace goes first": {"search svc.other.example osm-system.svc.cluster.local\n", "cluster.local"},
		"the last of two lists":        {"search osm-system.svc.a\nsearch osm-system.svc.b\n", "b"},
		"of another namespace":         {"search shop.svc.cluster.local\n", ""},
		"of the node, by hostNetwork":  {"nameserver 127.0.0.53\nsearch corp.example\n", ""},
		"a comment":                    {"#search osm-system.svc.cluster.local\n", ""},
		"an empty list":                {"search\n", ""},
		"nothing before the domain":    {"search osm-system.svc. svc.\n", ""},
		"nothing":                      {"", ""},
		"what is no domain":            {"search osm-system.svc.a_b\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := clusterDomain(tc.conf, "osm-system"); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
