// Package authorities has a program believe the certificate authorities of the Internet where its system knows none:
// on a card and in a container there is no file with them. A carrier that is reached over TLS and a place for backups
// over HTTPS are known by them, unless the owner names another authority (tls_ca).
package authorities

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Module is where the list comes from: that of Mozilla's NSS, as the authors of Go publish it.
const Module = "golang.org/x/crypto/x509roots/fallback"

// Old is the age from which on a list is to be renewed, by a new version of the program. It goes on being used: an
// authority lives for 15 to 25 years. What an old one lacks are authorities that were founded since, whose carriers and
// places are then refused and said so; and it still believes those that have lost their trust since.
const Old = 365 * 24 * time.Hour

// Believed is whom a program believes.
type Believed struct {
	System bool      // the system's own authorities, which always come first; else those of the program
	Count  int       // of the program's
	Listed time.Time // the day of the program's list; zero: this build does not say it
}

// Install is for the first lines of main, once in a program's life.
func Install() (b Believed, err error) {
	own := x509.NewCertPool()
	for root := range bundle.Roots() {
		c, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return b, fmt.Errorf("authorities: %w", err) // of the list that is compiled in
		}
		if root.Constraint == nil {
			own.AddCert(c)
		} else {
			own.AddCertWithConstraint(c, root.Constraint)
		}
		b.Count++
	}
	x509.SetFallbackRoots(own)
	now, err := x509.SystemCertPool()
	if err != nil {
		return b, fmt.Errorf("authorities: %w", err)
	}
	b.System, b.Listed = !now.Equal(own), listed()
	return b, nil
}

// Tell says in the log whom the program believes, and whether that was decided too long ago.
func (b Believed) Tell(log *slog.Logger, now time.Time) {
	switch {
	case b.System:
		log.Info("authorities", "of", "the system")
	case !b.Listed.IsZero() && now.Sub(b.Listed) > Old:
		log.Warn("the list of authorities is old: a new version of this program has a new one", "listed", b.Listed.Format(time.DateOnly), "count", b.Count)
	default:
		log.Info("authorities", "of", "this program", "listed", b.Listed.Format(time.DateOnly), "count", b.Count)
	}
}

// listed is the day of the list in this program.
func listed() (day time.Time) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return day
	}
	for _, d := range info.Deps {
		if d.Path == Module {
			day, _ = ListedOn(d.Version)
		}
	}
	return day
}

var pseudo = regexp.MustCompile(`^v0\.0\.0-(\d{8})\d{6}-[0-9a-f]{12}$`)

// ListedOn reads the day of a list from the version of its module (pseudo-versions, Go Modules Reference).
func ListedOn(version string) (day time.Time, ok bool) {
	m := pseudo.FindStringSubmatch(version)
	if m == nil {
		return day, false
	}
	day, err := time.Parse("20060102", m[1])
	return day, err == nil
}
