// Package asset embeds the page's style sheet, script and icon. There is no build step.
package asset

import "embed"

// Files holds everything served under /asset/.
//
//go:embed pronto.css live.js claim.js passkey.js phone.js record.js microphone.js icon.svg
var Files embed.FS
