package main

import (
	"fmt"
	"reflect"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestADifferenceIsTheFieldAndBothValues(t *testing.T) {
	tests := map[string]struct {
		from, to string
		want     []string
	}{
		"alike":                         {`{a: 1}`, `{a: 1}`, nil},
		"another value":                 {`{a: {b: 1}}`, `{a: {b: 2}}`, []string{"a.b: 1 2"}},
		"a field that is gone":          {`{}`, `{a: x}`, []string{"a: nothing x"}},
		"a field that came":             {`{a: {b: x, c: z}}`, `{a: {b: x}}`, []string{"a.c: z nothing"}},
		"a name with dots":              {`{labels: {example.com/a: x}}`, `{labels: {example.com/a: z}}`, []string{"labels[example.com/a]: x z"}},
		"elements with names":           {`{l: [{name: b}, {name: a, v: 1}]}`, `{l: [{name: a, v: 2}, {name: b}]}`, []string{"l[a].v: 1 2"}},
		"an element that is gone":       {`{l: [{name: a}]}`, `{l: [{name: a}, {name: b}]}`, []string{`l[b]: nothing {"name":"b"}`}},
		"elements with a name twice":    {`{l: [{name: a, v: 1}, {name: a}]}`, `{l: [{name: a, v: 2}, {name: a}]}`, []string{"l[0].v: 1 2"}},
		"elements without names":        {`{l: [{p: 1}, {p: 2}]}`, `{l: [{p: 1}, {p: 3}]}`, []string{"l[1].p: 2 3"}},
		"another number of elements":    {`{l: [{p: 1}]}`, `{l: [{p: 1}, {p: 3}]}`, []string{`l: nothing [{"p":3}]`}},
		"arguments":                     {`{args: [--a, --b=1]}`, `{args: [--a, --b=2]}`, []string{`args: ["--b=1"] ["--b=2"]`}},
		"the order of arguments alone":  {`{args: [--a, --b]}`, `{args: [--b, --a]}`, []string{`args: ["--a","--b"] ["--b","--a"]`}},
		"lines of a text":               {"{t: \"a\\n  b: 1\\nc\"}", "{t: \"a\\n  b: 2\\nc\"}", []string{"t: b: 1 b: 2"}},
		"no text":                       {`{t: ""}`, `{t: x}`, []string{`t: "" x`}},
		"an object where there was one": {`{a: x}`, `{a: {b: 1}}`, []string{`a: x {"b":1}`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var from, to any
			if err := yaml.Unmarshal([]byte(test.from), &from); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal([]byte(test.to), &to); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range differences("", from, to) {
				was, becomes := d.shown()
				got = append(got, fmt.Sprintf("%s: %s %s", d.path, was, becomes))
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
