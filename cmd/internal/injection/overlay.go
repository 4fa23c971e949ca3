package injection

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// Overlay returns the settings with what a MeshConfig says in the place of what
// the flags say. A list that is empty says something, too: there is nothing in
// it. Nil says nothing.
func Overlay(settings injector.Settings, config *v1.MeshConfig) (injector.Settings, error) {
	if config == nil {
		return settings, nil
	}
	sidecar := config.Spec.Sidecar
	overlayWord(&settings.SidecarImage, sidecar.Image)
	overlayWord(&settings.InitImage, sidecar.InitImage)
	overlayWord(&settings.LogLevel, string(sidecar.LogLevel))
	if r := sidecar.Resources; r != nil {
		settings.SidecarResources = corev1.ResourceRequirements{Limits: r.Limits, Requests: r.Requests}
	}
	if privileged := sidecar.PrivilegedInitContainer; privileged != nil {
		settings.PrivilegedInit = *privileged
	}
	return settings, overlayTraffic(&settings, config.Spec.Traffic)
}

// Overruled names the flags that a MeshConfig takes precedence over, and that say
// something else.
func Overruled(settings injector.Settings, config *v1.MeshConfig) (flags []string) {
	overlaid, err := Overlay(settings, config)
	if err != nil {
		return nil // it does not count
	}
	for _, one := range []struct {
		flag    string
		was, is any
	}{
		{"-sidecar-image", settings.SidecarImage, overlaid.SidecarImage},
		{"-init-image", settings.InitImage, overlaid.InitImage},
		{"-sidecar-log-level", settings.LogLevel, overlaid.LogLevel},
		{"-privileged-init", settings.PrivilegedInit, overlaid.PrivilegedInit},
		{"-inbound-port-exclusion-list", settings.InboundPortExclusions, overlaid.InboundPortExclusions},
		{"-outbound-port-exclusion-list", settings.OutboundPortExclusions, overlaid.OutboundPortExclusions},
		{"-outbound-ip-range-exclusion-list", settings.OutboundRangeExclusions, overlaid.OutboundRangeExclusions},
		{"-outbound-ip-range-inclusion-list", settings.OutboundRangeInclusions, overlaid.OutboundRangeInclusions},
		{"-network-interface-exclusion-list", settings.InterfaceExclusions, overlaid.InterfaceExclusions},
	} {
		if fmt.Sprint(one.was) != fmt.Sprint(one.is) { // no list is an empty one
			flags = append(flags, one.flag)
		}
	}
	if !equality.Semantic.DeepEqual(settings.SidecarResources, overlaid.SidecarResources) {
		flags = append(flags, "-sidecar-resources")
	}
	return flags
}

func overlayTraffic(settings *injector.Settings, traffic v1.Traffic) error {
	return errors.Join(
		overlayList(&settings.InboundPortExclusions, traffic.InboundPortExclusions, injector.ParsePorts),
		overlayList(&settings.OutboundPortExclusions, traffic.OutboundPortExclusions, injector.ParsePorts),
		overlayList(&settings.OutboundRangeExclusions, traffic.OutboundIPRangeExclusions, injector.ParseRanges),
		overlayList(&settings.OutboundRangeInclusions, traffic.OutboundIPRangeInclusions, injector.ParseRanges),
		overlayList(&settings.InterfaceExclusions, traffic.NetworkInterfaceExclusions, parseInterface))
}

func overlayWord(setting *string, said string) {
	if said != "" {
		*setting = said
	}
}

// overlayList reads the entries as those of the flag's list are read.
func overlayList[S, T any](setting *[]T, said []S, parse func(string) ([]T, error)) error {
	if said == nil {
		return nil
	}
	var list []T
	for _, entry := range said {
		parsed, err := parse(fmt.Sprint(entry))
		if err != nil {
			return err
		}
		list = append(list, parsed...)
	}
	*setting = list
	return nil
}

// parseInterface reads one name, which may have a comma in it.
func parseInterface(name string) ([]string, error) {
	if err := interception.CheckInterface(name); err != nil {
		return nil, fmt.Errorf("%q is %w", name, err)
	}
	return []string{name}, nil
}
