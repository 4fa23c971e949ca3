package mesh

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestQuantitiesAreReadAsKubernetesReadsThem(t *testing.T) {
	tests := map[string]struct {
		name        corev1.ResourceName
		value, want string
	}{
		"thousandths of a CPU":             {corev1.ResourceCPU, "100m", "100m"},
		"a decimal fraction of a CPU":      {corev1.ResourceCPU, "0.5", "500m"},
		"the least CPU":                    {corev1.ResourceCPU, "0.001", "1m"},
		"no CPU":                           {corev1.ResourceCPU, "0", "0"},
		"binary bytes":                     {corev1.ResourceMemory, "64Mi", "64Mi"},
		"decimal bytes":                    {corev1.ResourceMemory, "64M", "64M"},
		"bytes with an exponent":           {corev1.ResourceMemory, "1e9", "1e9"},
		"bytes with a signed exponent":     {corev1.ResourceMemory, "64e+6", "64e+6"},
		"bytes without a suffix":           {corev1.ResourceMemory, "1048576", "1048576"},
		"one byte":                         {corev1.ResourceMemory, "1", "1"},
		"no bytes":                         {corev1.ResourceEphemeralStorage, "0", "0"},
		"a sign":                           {corev1.ResourceMemory, "+64Mi", "64Mi"},
		"a binary fraction":                {corev1.ResourceMemory, "1.5Gi", "1536Mi"},
		"a fraction that is not whole":     {corev1.ResourceMemory, "0.1Gi", "107374183"},
		"bytes as an autoscaler writes it": {corev1.ResourceMemory, "107374182400m", "107374183"},
		"the most":                         {corev1.ResourceMemory, "8Pi", "8Pi"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseAmount(test.name, test.value)
			if err != nil || got.Cmp(resource.MustParse(test.want)) != 0 || got.String() != test.want {
				t.Errorf("%s became %s, %v", test.value, &got, err)
			}
		})
	}
}

func TestWhatIsNoQuantityIsRefusedByProblemAndFix(t *testing.T) {
	const cpu, size = "want an amount of cpu, such as 100m or 0.5", "want an amount of memory, such as 64Mi or 1Gi"
	tests := map[string]struct {
		name  corev1.ResourceName
		value string
		want  []string
	}{
		"nothing":                       {corev1.ResourceCPU, "", []string{"not a quantity", cpu}},
		"a blank in front":              {corev1.ResourceCPU, " 1", []string{"not a quantity"}},
		"a blank between":               {corev1.ResourceMemory, "64 Mi", []string{"not a quantity", size}},
		"a word":                        {corev1.ResourceMemory, "much", []string{"not a quantity"}},
		"a unit that is no suffix":      {corev1.ResourceMemory, "64MB", []string{"not a quantity"}},
		"a suffix alone":                {corev1.ResourceCPU, "m", []string{"not a quantity"}},
		"a sign alone":                  {corev1.ResourceCPU, "-", []string{"not a quantity"}},
		"a comma":                       {corev1.ResourceCPU, "0,5", []string{"not a quantity"}},
		"per cent":                      {corev1.ResourceCPU, "50%", []string{"not a quantity"}},
		"negative CPU":                  {corev1.ResourceCPU, "-1m", []string{"negative", cpu}},
		"negative bytes":                {corev1.ResourceMemory, "-64Mi", []string{"negative", size}},
		"less than the least CPU":       {corev1.ResourceCPU, "0.5m", []string{"finer than a thousandth of a CPU", cpu}},
		"more digits than CPU has":      {corev1.ResourceCPU, "1.0005", []string{"finer than a thousandth of a CPU"}},
		"thousandths of bytes":          {corev1.ResourceMemory, "128m", []string{"fractions of bytes", size}},
		"half a byte":                   {corev1.ResourceMemory, "0.5", []string{"fractions of bytes"}},
		"more than there is":            {corev1.ResourceMemory, "9Pi", []string{"more than 8Pi", size}},
		"more than a number holds":      {corev1.ResourceMemory, "8Ei", []string{"more than 8Pi"}},
		"a large exponent":              {corev1.ResourceCPU, "1e999", []string{"more than 8Pi"}},
		"an exponent that takes hours":  {corev1.ResourceCPU, "1e999999999", []string{"not a quantity"}},
		"a negative one that does, too": {corev1.ResourceMemory, "1E-999999999", []string{"not a quantity"}},
		"more digits than are taken": {corev1.ResourceMemory,
			"0.0000000000000000000000000000000000000000000000000000000000000000001", []string{"not a quantity"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseAmount(test.name, test.value)
			if err == nil {
				t.Fatal("not refused")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func FuzzQuantity(f *testing.F) {
	for _, value := range []string{"0", "100m", "0.5", "64Mi", "107374182400m", "1e3", "8Pi", "-1", "1e999", "1e-99", "999999999999999999999999999n"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range SidecarResources() {
			if quantity, err := ParseAmount(name, value); err == nil {
				accepted(t, name, value, quantity)
			}
		}
	})
}

// accepted fails unless the API server would take quantity (validation of
// container resources in k8s.io/kubernetes/pkg/apis/core) and warn of nothing,
// and unless it means what was written.
func accepted(t *testing.T, name corev1.ResourceName, value string, quantity resource.Quantity) {
	t.Helper()
	if quantity.Sign() < 0 || quantity.Value() < 0 || quantity.MilliValue() < 0 {
		t.Errorf("%q became %s, which is negative", value, &quantity)
	}
	if name != corev1.ResourceCPU && quantity.MilliValue()%1000 != 0 {
		t.Errorf("%q became %s, which is not whole", value, &quantity)
	}
	if written, err := resource.ParseQuantity(value); err != nil || written.ScaledValue(0) != quantity.Value() {
		t.Errorf("%q became %s, but means %s, %v", value, &quantity, &written, err)
	}
	encoded, err := json.Marshal(quantity)
	if err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	var decoded resource.Quantity
	if err := json.Unmarshal(encoded, &decoded); err != nil || decoded.Cmp(quantity) != 0 {
		t.Errorf("%q became %s, and that %s, %v", value, encoded, &decoded, err)
	}
	again, err := ParseAmount(name, decoded.String())
	if err != nil || again.Cmp(quantity) != 0 {
		t.Errorf("%q became %s, and that %s, %v", value, &decoded, &again, err)
	}
}
