package validate

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func traffic(path *field.Path, t v1.Traffic) field.ErrorList {
	problems := each(path.Child("inboundPortExclusions"), t.InboundPortExclusions, port)
	problems = append(problems, each(path.Child("outboundPortExclusions"), t.OutboundPortExclusions, port)...)
	problems = append(problems, each(path.Child("outboundIPRangeExclusions"), t.OutboundIPRangeExclusions, ipRange)...)
	problems = append(problems, each(path.Child("outboundIPRangeInclusions"), t.OutboundIPRangeInclusions, ipRange)...)
	return append(problems, each(path.Child("networkInterfaceExclusions"), t.NetworkInterfaceExclusions, networkInterface)...)
}

// each checks the entries of a list by what is wrong with one, if anything.
func each[T any](path *field.Path, list []T, wrong func(T) string) field.ErrorList {
	if len(list) > interception.MaxExclusions {
		return field.ErrorList{field.TooMany(path, len(list), interception.MaxExclusions)}
	}
	var problems field.ErrorList
	for i, entry := range list {
		if problem := wrong(entry); problem != "" {
			problems = append(problems, field.Invalid(path.Index(i), entry, problem))
		}
	}
	return problems
}

func port(port v1.Port) string {
	if port < 1 || port > 65535 {
		return "not a port: want a number from 1 to 65535"
	}
	return ""
}

func ipRange(entry v1.IPRange) string {
	_, err := interception.ParseRange(string(entry))
	return problem(err)
}

func networkInterface(name v1.NetworkInterface) string {
	return problem(interception.CheckInterface(string(name)))
}

func problem(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
