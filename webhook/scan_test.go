package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func scan(body string) error {
	_, err := io.Copy(newScanner(bodyLimits), strings.NewReader(body))
	return err
}

func TestABodyIsHeldToLimitsAsItArrives(t *testing.T) {
	list := func(item string, n int) string { return "[" + strings.Repeat(item+",", n) + item + "]" }
	tests := map[string]struct {
		body   string
		status int
		want   string
	}{
		"elements":                {list("{}", 200_000), http.StatusRequestEntityTooLarge, "more than 100000 values"},
		"numbers":                 {list("1", 200_000), http.StatusRequestEntityTooLarge, "more than 100000 values"},
		"members":                 {`{"a":` + strings.Repeat(`{"a":1,"b":2},`, 100_000), http.StatusRequestEntityTooLarge, "more than 100000 values"},
		"names, no values":        {`{"a"` + strings.Repeat(`,"a"`, 200_000), http.StatusRequestEntityTooLarge, "more than 100000 members"},
		"nested arrays":           {strings.Repeat("[", 1000), http.StatusRequestEntityTooLarge, "more than 64 deep"},
		"nested objects":          {strings.Repeat(`{"a":`, 1000), http.StatusRequestEntityTooLarge, "more than 64 deep"},
		"a long string":           {`["` + strings.Repeat("a", 4<<20), http.StatusRequestEntityTooLarge, "a string of more than 3145728 bytes"},
		"a long string, escaped":  {`["` + strings.Repeat(`\"`, 2<<20), http.StatusRequestEntityTooLarge, "a string of more than 3145728 bytes"},
		"a long name":             {`{"` + strings.Repeat("a", 10<<10), http.StatusRequestEntityTooLarge, "a member's name of more than 8192 bytes"},
		"a long number":           {`[1` + strings.Repeat("0", 100), http.StatusRequestEntityTooLarge, "a number of more than 64 bytes"},
		"bytes":                   {strings.Repeat(" ", 8<<20), http.StatusRequestEntityTooLarge, "more than 7340032 bytes"},
		"a name twice":            {`{"a":1,"b":{"a":1},"a":2}`, http.StatusBadRequest, "two members of one name"},
		"a name twice, escaped":   {`{"a":1,"\u0061":2}`, http.StatusBadRequest, "two members of one name"},
		"a name twice, not UTF-8": {"{\"\xff\":1,\"\xfe\":2}", http.StatusBadRequest, "two members of one name"},
		"an end without begin":    {`]`, http.StatusBadRequest, "has not begun"},
		"one name in two objects": {`[{"a":1},{"a":2,"b":{"a":3,"b":["a","a"]}}]`, 0, ""},
		"a name that is a value":  {`{"a":"b","b":"a","c":["a","a","b"]}`, 0, ""},
		"text like structure":     {`{"a":"` + strings.Repeat("{},[", 100_000) + `"}`, 0, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := scan(test.body)
			var refused *refusal
			if test.status == 0 && err == nil {
				return
			}
			if !errors.As(err, &refused) || refused.status != test.status || !strings.Contains(refused.reason, test.want) {
				t.Errorf("error %v, want %d: %s", err, test.status, test.want)
			}
		})
	}
}

// FuzzScanner holds that of every text that is JSON as many values are counted as
// the standard library finds, and the same names twice, however it is cut.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2,{"b":null}],"c":"d"}`, `[[],{},"",-1.5e3,true]`, `{"a":1,"a":2}`, `{"\u0061":1,"a":2}`, `{"k:{\"a\":1}":{}}`, `"a"`, `0`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		whole, parts := newScanner(bodyLimits), newScanner(bodyLimits)
		_, err := whole.Write(body)
		_, errOfParts := io.Copy(struct{ io.Writer }{parts}, iotest.OneByteReader(bytes.NewReader(body)))
		if (err == nil) != (errOfParts == nil) || err == nil && whole.values != parts.values {
			t.Fatalf("whole: %d values, %v; in parts: %d values, %v", whole.values, err, parts.values, errOfParts)
		}
		if !json.Valid(body) {
			return
		}
		values, twice := count(json.NewDecoder(bytes.NewReader(body)))
		var refused *refusal
		switch {
		case errors.As(err, &refused) && refused.status == http.StatusRequestEntityTooLarge:
		case twice != (err != nil):
			t.Errorf("a name twice: %t, error %v", twice, err)
		case !twice && values != whole.values:
			t.Errorf("%d values, want %d", whole.values, values)
		}
	})
}

// count counts the values of a text that is JSON, and tells whether an object has
// a name twice.
func count(decoder *json.Decoder) (values int, twice bool) {
	type object struct {
		names map[string]bool // nil for an array
		value bool            // comes next
	}
	var open []object
	for {
		token, err := decoder.Token()
		if err != nil {
			return values, twice
		}
		delim, _ := token.(json.Delim)
		if delim == '}' || delim == ']' {
			open = open[:len(open)-1]
			continue
		}
		if n := len(open); n > 0 && open[n-1].names != nil {
			if top := &open[n-1]; !top.value {
				name := token.(string)
				twice = twice || top.names[name]
				top.names[name], top.value = true, true
				continue
			}
			open[n-1].value = false
		}
		values++
		switch delim {
		case '{':
			open = append(open, object{names: map[string]bool{}})
		case '[':
			open = append(open, object{})
		}
	}
}
