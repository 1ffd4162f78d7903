// Package panel owns the lights: one goroutine writes what the policy of package lamp says of the facts that it is told.
package panel
