// Package document writes what a watcher is told: dialog-info (RFC 4235), message summaries (RFC
// 3842), presence (RFC 3863) and registrations (RFC 3680). It is pure; every document is a full
// state, so a lost one costs nothing once the next has come.
package document

import (
	"encoding/xml"
	"strings"
)

// Media types of the documents.
const (
	DialogInfoType = "application/dialog-info+xml"
	SummaryType    = "application/simple-message-summary"
	PresenceType   = "application/pidf+xml"
	RegInfoType    = "application/reginfo+xml"
)

const header = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// text escapes s for the inside of an element or a quoted attribute; what XML cannot hold becomes
// U+FFFD.
func text(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}
