// Package meshconfig follows the MeshConfig of a mesh for its daemons: whoever
// starts a Follower is told of every change that is valid, and the log level is
// set by it. It must not know what else the settings mean.
package meshconfig
