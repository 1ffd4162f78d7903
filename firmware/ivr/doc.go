// Package ivr holds the scripts that a caller meets without a person: menus, leaving a message,
// listening to a mailbox, recording an announcement, a code, a sentence. A script is one plain State
// and one pure function, Next; whoever owns the call runs the effects and sends the events.
//
// The owner keeps three promises. Each Play that is not replaced or hushed ends in one Played; each
// Record ends in one Recorded; each Check and List is answered once. A script that waits for one of
// these also sets a timer where the answer comes from outside the call. So each script that is not
// Done has something to play, something to record or a timer, and it ends in bounded time when the
// caller does nothing.
//
// Names of sounds are prompts of the library, or one of
//
//	tone_beep            the tone after which one speaks
//	prompt:ID            an announcement that the owner of the box recorded
//	greeting:BOX/KIND    a greeting of a mailbox, KIND is "standard" or "busy"
//	message:BOX/ID       a message of a mailbox
//	recording:PATH       what a Record of this script wrote
package ivr
