// Package updater is the owner of a box's updates: one goroutine that asks for releases, decides by the policy of
// package rollout, has them installed, restarts into them when nobody would notice, and keeps or gives them up.
package updater
