package at

// Kind is what a Token is.
type Kind uint8

// The kinds of token.
const (
	Line   Kind = iota + 1 // a line with text
	Prompt                 // "> ": the modem waits for the text of a message
	Echo                   // our own command, sent back
)

// Token is one thing that the modem said.
type Token struct {
	Kind Kind
	Text string // empty for a Prompt
}

// maxLine bounds a line, in bytes. The longest that a modem has reason to send is a message of 176
// octets in hexadecimal; what is longer is noise and is cut.
const maxLine = 1024

// Tokeniser splits the bytes of a modem. The zero value is ready. The tokens depend on the bytes alone
// and never on how they were cut into reads.
type Tokeniser struct {
	line  []byte
	echo  string // the command whose echo may still come
	angle bool   // '>' stood at the start of a line, and the next byte decides
}

// Sent names the command just written, without its CR, so that its echo is told from an answer.
func (t *Tokeniser) Sent(command string) { t.echo = command }

// Feed consumes p and calls emit for every token that it completes. Either CR or LF ends a line and
// empty lines mean nothing, so that the doubled CR of some firmware changes nothing.
func (t *Tokeniser) Feed(p []byte, emit func(Token)) {
	for _, c := range p {
		switch {
		case c == '\r' || c == '\n':
			t.endLine(emit)
		case c < 0x20 || c == 0x7f:
			// Noise of a starting UART, or the ESC that we sent and an echo returned.
		case t.angle && c == ' ':
			t.angle = false
			t.line = t.line[:0]
			emit(Token{Kind: Prompt})
		default:
			t.angle = c == '>' && len(t.line) == 0
			if len(t.line) < maxLine {
				t.line = append(t.line, c)
			}
		}
	}
}

func (t *Tokeniser) endLine(emit func(Token)) {
	t.angle = false
	if len(t.line) == 0 {
		return
	}
	text := string(t.line)
	t.line = t.line[:0]
	if t.echo != "" && text == t.echo {
		t.echo = ""
		emit(Token{Kind: Echo, Text: text})
		return
	}
	emit(Token{Kind: Line, Text: text})
}
