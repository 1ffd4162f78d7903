// Package lamp turns agent states into light patterns and owns the lights. The pattern alone,
// without colour, names the state.
package lamp
