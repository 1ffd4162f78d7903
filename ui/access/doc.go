// Package access decides who may do what on the page: people and their roles, passwords, the code with
// which a new box is claimed, sessions, and the notes of all that.
//
// Nothing here has a default password. A box that nobody owns can only be claimed: with the code of its
// label, from its own network, within an hour after it was switched on. Wrong codes and passwords slow
// their sender down and lock nobody out.
//
// Begin reading at role.go, then accounts.go.
package access
