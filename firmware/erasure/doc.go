// Package erasure makes a box forget a person (GDPR art. 17): who is erased is known by a keyed hash of the number
// only, and whatever is read again later, out of a backup, a journal or a database, is held against it.
//
// What is erased is not blanked: every place where the number stood gets one and the same alias, which says nothing
// of the person. So figures, the history of queues and its replay stay what they were.
//
// Read entry.go (an erasure), match.go (is this number erased?), rewrite.go (a record without it), register.go (the
// file).
package erasure
