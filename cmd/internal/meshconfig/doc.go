// Package meshconfig follows the MeshConfig of a mesh for its daemons. A
// Follower reports every valid change, and sets the log level. It must not know what else the settings mean.
package meshconfig
