// Package lamp turns what agents, queues, lines and the box itself do into light patterns: one table, of which the
// pattern alone, without colour, names the state. It is pure, and has the ports of lights and buttons; package panel
// owns the lights.
package lamp
