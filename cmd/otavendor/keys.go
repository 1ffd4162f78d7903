package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/ota/repository"
)

// keyFile is where the nth key of a role lies: root-1.key. It is its seed in hex, sealed by age with a pass phrase.
func (v *vendor) keyFile(role string, n int) string {
	return filepath.Join(v.keys, fmt.Sprintf("%s-%d.key", role, n))
}

// phrase reads the pass phrase from its file, or asks for it.
func (v *vendor) phrase() (string, error) {
	if v.pass == "" {
		return v.ask("Pass phrase of the keys: ")
	}
	text, err := os.ReadFile(v.pass)
	if err != nil {
		return "", fmt.Errorf("-pass: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("-pass: %s is empty", v.pass)
	}
	return line, nil
}

// load opens the keys at hand, of the given roles.
func (v *vendor) load(roles ...string) (repository.Signers, error) {
	all := repository.Signers{}
	phrase := ""
	for _, role := range roles {
		for n := 1; n <= 9; n++ {
			sealed, err := os.ReadFile(v.keyFile(role, n))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return nil, err
			}
			if phrase == "" {
				if phrase, err = v.phrase(); err != nil {
					return nil, err
				}
			}
			k, err := unseal(sealed, phrase)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", v.keyFile(role, n), err)
			}
			all[role] = append(all[role], k)
		}
	}
	return all, nil
}

func unseal(sealed []byte, phrase string) (ed25519.PrivateKey, error) {
	identity, err := age.NewScryptIdentity(phrase)
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), identity)
	if err != nil {
		return nil, err
	}
	seed, err := io.ReadAll(io.LimitReader(r, 1024))
	if err != nil {
		return nil, err
	}
	return repository.Seed(string(seed))
}

// next is the end of the name of keys that nothing is signed with yet.
const next = ".next"

// save seals the keys of a role, as root-1.key.next. They are in use when adopt has renamed them.
func (v *vendor) save(role string, keys []ed25519.PrivateKey, phrase string) error {
	if err := os.MkdirAll(v.keys, 0o700); err != nil {
		return err
	}
	for i, k := range keys {
		recipient, err := age.NewScryptRecipient(phrase)
		if err != nil {
			return err
		}
		recipient.SetWorkFactor(v.work)
		var sealed bytes.Buffer
		w, err := age.Encrypt(&sealed, recipient)
		if err == nil {
			_, err = io.WriteString(w, hex.EncodeToString(k.Seed())+"\n")
		}
		if err == nil {
			err = w.Close()
		}
		if err == nil {
			err = os.WriteFile(v.keyFile(role, i+1)+next, sealed.Bytes(), 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// adopt puts saved keys in the place of those of before, which stay as root-1.key.old.
func (v *vendor) adopt(role string, keys int) error {
	for n := 1; n <= keys; n++ {
		at := v.keyFile(role, n)
		if err := os.Rename(at, at+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Rename(at+next, at); err != nil {
			return err
		}
	}
	return nil
}

// askTerminal reads a line that the terminal does not show.
func askTerminal(question string) (string, error) {
	in := int(os.Stdin.Fd())
	was, err := unix.IoctlGetTermios(in, unix.TCGETS)
	if err != nil {
		return "", errors.New("no terminal to ask for the pass phrase: name its file with -pass")
	}
	quiet := *was
	quiet.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(in, unix.TCSETS, &quiet); err != nil {
		return "", err
	}
	fmt.Fprint(os.Stderr, question)
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if n, e := os.Stdin.Read(b); e != nil || n == 0 || b[0] == '\n' {
			err = e
			break
		}
	}
	fmt.Fprintln(os.Stderr)
	if err := errors.Join(err, unix.IoctlSetTermios(in, unix.TCSETS, was)); err != nil {
		return "", err
	}
	if len(line) == 0 {
		return "", errors.New("no pass phrase")
	}
	return string(line), nil
}
