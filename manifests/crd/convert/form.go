package convert

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// The functions of this file give values their form in the other version.

func text(value any) (any, bool) {
	s, ok := value.(string)
	return s, ok
}

// name is a text that means nothing when it is empty.
func name(value any) (any, bool) {
	s, ok := value.(string)
	return s, ok && s != ""
}

func flag(value any) (any, bool) {
	b, ok := value.(bool)
	return b, ok
}

func anything(value any) (any, bool) { return value, value != nil }

// texts and numbers are lists without duplicates.

func texts(value any) (any, bool)   { return listOf[string](value) }
func numbers(value any) (any, bool) { return listOf[int64](value) }

func listOf[T any](value any) (any, bool) {
	list, ok := value.([]any)
	if !ok {
		return nil, false
	}
	var once []any
	for _, entry := range list {
		if _, ok := entry.(T); !ok {
			return nil, false
		}
		if !slices.Contains(once, entry) {
			once = append(once, entry)
		}
	}
	if len(once) == len(list) {
		return list, true
	}
	return once, true
}

// word returns the form that has another word for each of some.
func word(words map[string]string) func(any) (any, bool) {
	return func(value any) (any, bool) {
		s, _ := value.(string)
		other, ok := words[s]
		return other, ok
	}
}

// algorithm is that of RSA keys of a size in bits.
func algorithm(size any) (any, bool) {
	bits, ok := size.(int64)
	return "rsa-" + strconv.FormatInt(bits, 10), ok
}

func keySize(algorithm any) (any, bool) {
	s, _ := algorithm.(string)
	digits, rsa := strings.CutPrefix(s, "rsa-")
	bits, err := strconv.ParseInt(digits, 10, 64)
	return bits, rsa && err == nil
}

// resources are requests and limits, all of them quantities.
func resources(value any) (any, bool) {
	object, ok := value.(tree)
	if !ok {
		return nil, false
	}
	taken := tree{}
	for _, name := range []string{"limits", "requests"} {
		list, has := object[name]
		if !has {
			continue
		}
		if taken[name], ok = quantities(list); !ok {
			return nil, false
		}
	}
	return taken, true
}

func quantities(value any) (any, bool) {
	list, ok := value.(tree)
	if !ok {
		return nil, false
	}
	taken := tree{}
	for name, value := range list {
		if taken[name], ok = quantity(value); !ok {
			return nil, false
		}
	}
	return taken, true
}

// quantity takes the numbers that people write, such as cpu: 0.5, as the text
// that they stand for.
func quantity(value any) (any, bool) {
	switch value := value.(type) {
	case int64:
		return value, true
	case float64:
		return quantity(strconv.FormatFloat(value, 'f', -1, 64))
	case string:
		// What a quantity costs to parse grows with its exponent.
		if len(value) > 64 || !boundedExponent(value) || !strings.ContainsAny(value, "0123456789") {
			return nil, false
		}
		_, err := resource.ParseQuantity(value)
		return value, err == nil
	}
	return nil, false
}

func boundedExponent(quantity string) bool {
	i := strings.IndexAny(quantity, "eE")
	return i < 0 || len(quantity)-i <= len("e-18")
}
