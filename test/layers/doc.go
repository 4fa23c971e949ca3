// Package layers holds the layers that check a setting to one rule: the schemas
// of the custom resources on a real API server, the validating webhook, what
// osm-controller does with the object, and the chart.
package layers
