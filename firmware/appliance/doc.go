// Package appliance is the composition root: it builds every room from the config, wires them,
// runs, drains and stops them. Only cmd imports it.
package appliance
