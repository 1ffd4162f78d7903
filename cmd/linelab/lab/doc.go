// Package lab plays the people around a demo office: customers, a carrier, a mobile network and the
// agents at their phones. What they do is drawn from one seed.
package lab
