// Package transcript runs the commands of a document as its readers do: each
// ```console block, line by line, in one bash after the other that knows what the
// ones before exported. It compares what they print with what the document shows.
// It knows markdown and bash, and nothing of the mesh.
//
// What readers do not have to see is in comments:
//
//	<!-- transcript: group NAME -->    what follows is told of a cluster of its own
//	<!-- transcript: skip: REASON -->  the next block is not run
//	<!-- transcript: given -->         the next block sets variables, which the runner sets otherwise
//	<!-- transcript: pods -->          the next block needs pods whose containers run
//	<!-- transcript: output -->        the next block is what the command before prints
//	<!-- transcript: eventually -->    the same, but the command is repeated until it does
//
// A group goes on until the next. What is of the group "every", the one that a
// document begins with, is run first in each of the others.
package transcript

import "slices"

// Every is the group that all others begin with.
const Every = "every"

// Document is what is to be run of one.
type Document struct {
	Name   string
	Groups []Group
}

// Group is run on a cluster of its own.
type Group struct {
	Name  string
	Steps []Step
}

// Step is one command, which may have several lines.
type Step struct {
	Line    int // of the document
	Command string

	Skip  string // the reason why it is not run
	Given bool   // it sets what the runner sets otherwise
	Pods  bool   // it needs pods whose containers run

	Shown      bool // the document shows what it prints
	Output     string
	Eventually bool // it may take a while until it prints that
}

// Group returns the steps of a group, those of Every first. There are none if
// there is no such group.
func (d Document) Group(name string) []Step {
	var steps []Step
	if !d.has(name) {
		return nil
	}
	for _, g := range d.Groups {
		if g.Name == Every || g.Name == name {
			steps = append(steps, g.Steps...)
		}
	}
	return steps
}

func (d Document) has(group string) bool { return slices.Contains(d.names(), group) }

// names returns the groups in their order.
func (d Document) names() []string {
	var names []string
	for _, g := range d.Groups {
		names = append(names, g.Name)
	}
	return names
}
