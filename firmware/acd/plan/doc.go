// Package plan decides which agent rings for which waiting caller. It is pure: Next maps a state,
// an event and a time to the next state and the effects to carry out, so the same inputs always
// give the same decisions and any past minute can be replayed.
//
// Begin reading at state.go (what is known), then next.go (what happens to it) and match.go (who
// gets whom). distribution.go has the rules of a queue, rank.go what they mean for one caller: who may
// take it, and who first; explain.go says the same in words.
package plan
