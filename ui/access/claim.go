package access

import (
	"crypto/rand"
	"crypto/subtle"
	"strings"
)

// Code is the secret of one box with which its owner takes it: eight characters of Crockford's base 32 and
// a check character, printed on its label. Forty bits, guessed at a few tries a minute, last for ages.
type Code string

// CodeVersion is that of the file, by statefile, that keeps a box's code: label.json of its state.
const CodeVersion = 1

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// checks are the check symbols of Crockford's base 32, for the value modulo 37.
const checks = alphabet + "*~$=U"

const codeLength = 8

// NewCode draws a code.
func NewCode() Code {
	b := make([]byte, codeLength)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return Code(b) + Code(check(string(b)))
}

func check(body string) string {
	v := 0
	for _, c := range body {
		v = (v*32 + strings.IndexRune(alphabet, c)) % 37
	}
	return checks[v : v+1]
}

// String writes the code as the label does, in groups of four.
func (c Code) String() string {
	if len(c) != codeLength+1 {
		return string(c)
	}
	return string(c[:4] + "-" + c[4:8] + "-" + c[8:])
}

// ReadCode takes what somebody typed: any case, with or without dashes and spaces, O for 0 and I or L for 1.
// It is false for what cannot be a code, as with most mistypings.
func ReadCode(typed string) (Code, bool) {
	var b strings.Builder
	for _, r := range strings.ToUpper(typed) {
		switch r {
		case ' ', '-', '\t', '\u00a0':
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		b.WriteRune(r)
	}
	s := b.String()
	if len(s) != codeLength+1 {
		return "", false
	}
	for _, r := range s[:codeLength] {
		if !strings.ContainsRune(alphabet, r) {
			return "", false
		}
	}
	return Code(s), check(s[:codeLength]) == s[codeLength:]
}

func (c Code) is(other Code) bool {
	return c != "" && subtle.ConstantTimeCompare([]byte(c), []byte(other)) == 1
}
