package render

// options are values that turn on whatever is off by default.
var options = map[string]any{
	"monitoring": map[string]any{"labels": map[string]any{"release": "prometheus"}, "podMonitor": true, "rules": true},
}
