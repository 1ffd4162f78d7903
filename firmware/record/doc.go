// Package record keeps what is recorded of conversations: files that only the box can read (package tape), and an
// index that nobody can change unseen.
//
// The index is one file to which lines are appended: a recording began, ended, was heard by somebody, is held, was
// deleted. Each line names the SHA-256 of the one before it, and the line of an end that of the file, so that a
// line or a file that was changed or is missing is found by Verify. What a dying process left is closed, from what
// the files themselves say, when the next one opens the archive.
//
// Read entry.go (the lines), archive.go (who owns them), file.go (a recording that is written), verify.go.
package record
