// Package call owns calls: one actor per call runs the effects of a pure state machine over its
// legs. It knows neither SIP nor modems (a Leg hides both) nor how queues decide (it speaks tel
// messages with them).
//
// Read state.go (what a call is), next.go (what it does), actor.go (who runs it), exchange.go (all
// calls of the box).
package call
