// Package dialog is the SIP user agent of the box: it answers and makes calls, keeps their dialogs
// (RFC 3261 sections 12 to 15) and tells the application what becomes of them.
//
// What a dialog does is decided by the pure machine in package core. This package feeds it with
// messages, timers and wishes, and carries out the effects: it renders messages, saves the state
// to the hot journal before anything leaves, and runs on the shard of the stack that owns the
// Call-ID. It has no goroutine per call and no lock around a dialog: a Session's fields below the
// inbox are touched by its shard only.
//
// Beyond RFC 3261 it knows reliable provisionals (RFC 3262), UPDATE (RFC 3311), session timers (RFC
// 4028), REFER in both roles (RFC 3515) and Replaces (RFC 3891). The files rfcNNNN_test.go hold their
// flows; in sipp_test.go SIPp judges them.
//
// Begin reading at UA, then Session, then effect.go.
package dialog
