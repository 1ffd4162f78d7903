package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// The cost of one password, as OWASP's Password Storage Cheat Sheet asks of Argon2id: 19 MiB, two passes,
// one lane.
const (
	hashMemory = 19 << 10 // KiB
	hashPasses = 2
	hashLanes  = 1
	hashSize   = 32
	saltSize   = 16
)

// hashers is how many passwords are hashed at a time: a flood of sign-ins must not starve calls of CPU
// and memory.
const hashers = 1

// hasher runs at most a few hashes at a time.
type hasher chan struct{}

func newHasher() hasher { return make(hasher, hashers) }

func (h hasher) run(ctx context.Context, f func()) error {
	select {
	case h <- struct{}{}:
	case <-ctx.Done():
		return ErrBusy
	}
	defer func() { <-h }()
	f()
	return nil
}

var encoding = base64.RawStdEncoding

// hash encodes a password in the PHC string format.
func hash(password string) string {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
	key := argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashLanes, hashSize)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashLanes,
		encoding.EncodeToString(salt), encoding.EncodeToString(key))
}

// matches compares a password with what hash made of it. What is not of that form matches nothing, and
// takes as long: nobody learns from the time whether a name exists.
func matches(password, hashed string) bool {
	salt, key, passes, memory, lanes, ok := parseHash(hashed)
	if !ok {
		salt, key, passes, memory, lanes = make([]byte, saltSize), make([]byte, hashSize), hashPasses, hashMemory, hashLanes
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1 && ok
}

func parseHash(s string) (salt, key []byte, passes, memory uint32, lanes uint8, ok bool) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, nil, 0, 0, 0, false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return nil, nil, 0, 0, 0, false
	}
	salt, err1 := encoding.DecodeString(parts[4])
	key, err2 := encoding.DecodeString(parts[5])
	// A file that was tampered with must not make us compute for hours.
	ok = err1 == nil && err2 == nil && len(key) >= 16 && len(key) <= 64 && memory >= 8 && memory <= 256<<10 && passes >= 1 && passes <= 16 && lanes >= 1
	return salt, key, passes, memory, lanes, ok
}

// MinPassword is the shortest password in characters.
const MinPassword = 10

// The faults of a new password. Their texts are for logs; the page has its own.
var (
	ErrShort  = errors.New("the password is too short")
	ErrLong   = errors.New("the password is too long")
	ErrSimple = errors.New("the password is too easy to guess")
)

// Check tells what is wrong with a new password of a person; nil is nothing. There are no rules on its
// composition (NIST SP 800-63B): it must be long, and not be what a guesser tries first.
func Check(password, name string) error {
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		return ErrShort
	case len(password) > 256:
		return ErrLong
	}
	low := strings.ToLower(password)
	plain := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, low)
	switch {
	case name != "" && strings.Contains(low, strings.ToLower(name)) && len(low) < len(name)+MinPassword,
		runs(plain), repeats(plain):
		return ErrSimple
	}
	for _, w := range common() {
		if rest := strings.TrimRight(strings.TrimLeft(plain, "0123456789"), "0123456789"); rest == w {
			return ErrSimple
		}
	}
	return nil
}

// common are the words that long passwords of lazy people consist of, with digits around them, as lists
// of broken passwords show for Italian and English.
func common() []string {
	return []string{
		"password", "passwords", "passw", "qwerty", "qwertyuiop", "asdfghjkl", "zxcvbnm", "administrator", "administrador",
		"amministratore", "welcome", "letmein", "iloveyou", "sunshine", "princess", "football", "baseball", "superman", "starwars",
		"juventus", "napoli", "inter", "milan", "roma", "francesca", "alessandro", "giuseppe", "andrea", "valentina", "martina",
		"amoremio", "tiamo", "tiamotanto", "centralino", "telefono", "pronto", "prontopronto", "benvenuto", "segreta", "segreto",
		"changeme", "default", "", "asterisk", "freepbx", "raspberry",
	}
}

// runs tells whether the text only counts up or down: 1234567890, abcdefghij.
func runs(s string) bool {
	r := []rune(s)
	for step := -1; step <= 1; step++ {
		odd := 0
		for i := 1; i < len(r); i++ {
			if int(r[i])-int(r[i-1]) != step {
				odd++
			}
		}
		if odd <= 1 { // 1234567890 has one step that wraps
			return true
		}
	}
	return false
}

// repeats tells whether the text is a short one over and over.
func repeats(s string) bool {
	for n := 1; n <= 4 && n < len(s); n++ {
		if strings.Repeat(s[:n], len(s)/n+1)[:len(s)] == s {
			return true
		}
	}
	return false
}
