package trust

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Limits of metadata, in bytes. What a vendor makes is a tenth of them.
const (
	maxRoot      = 16 << 10
	maxTimestamp = 16 << 10
	maxSnapshot  = 64 << 10
	maxTargets   = 64 << 10
	maxRoots     = 64 // in one poll
	maxRoles     = 8  // that targets delegates to
	maxOffers    = 32 // releases in one channel
)

// signed is what we look at of any metadata before go-tuf does. Nothing of it is believed; it is only refused.
type signed struct {
	Signed struct {
		Type    string          `json:"_type"`
		Version int64           `json:"version"`
		Expires time.Time       `json:"expires"`
		Roles   map[string]role `json:"roles"`
		Meta    map[string]struct {
			Version int64 `json:"version"`
		} `json:"meta"`

		Delegations *struct {
			Roles    []role          `json:"roles"`
			Succinct json.RawMessage `json:"succinct_roles"`
		} `json:"delegations"`
	} `json:"signed"`
	Signatures []json.RawMessage `json:"signatures"`
}

type role struct {
	Name      string   `json:"name"`
	KeyIDs    []string `json:"keyids"`
	Threshold int      `json:"threshold"`
}

var roleForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// inspect refuses what no vendor of ours makes, whoever signed it: a role that nobody has to sign for (CVE-2026-23992),
// one whose name is a path, delegations by hash. name is that of the file: 2.root.json.
func inspect(name string, text []byte) (s signed, err error) {
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("%w: %s: %w", ErrUntrusted, name, err)
	}
	refuse := func(words string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrUntrusted, name, fmt.Sprintf(words, args...))
	}
	if len(s.Signatures) > 16 || s.Signed.Version < 1 {
		return s, refuse("version %d with %d signatures", s.Signed.Version, len(s.Signatures))
	}
	roles := make([]role, 0, len(s.Signed.Roles))
	for name, r := range s.Signed.Roles {
		r.Name = name
		roles = append(roles, r)
	}
	if d := s.Signed.Delegations; d != nil {
		roles = append(roles, d.Roles...)
		if len(d.Succinct) > 0 && string(d.Succinct) != "null" {
			return s, refuse("delegates by hash")
		}
	}
	if len(roles) > maxRoles {
		return s, refuse("%d roles", len(roles))
	}
	for _, r := range roles {
		switch {
		case r.Threshold < 1 || r.Threshold > len(r.KeyIDs):
			return s, refuse("role %.32q wants %d of %d signatures", r.Name, r.Threshold, len(r.KeyIDs))
		case !roleForm.MatchString(r.Name):
			return s, refuse("a role is called %.64q", r.Name)
		}
	}
	return s, nil
}

// roleOf is the role whose metadata lies in a file: that of metadata/7.stable.json is stable.
func roleOf(name string) string {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "metadata/"), ".json")
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// offerForm is the path of a release among the targets: stable/1.4.2.release.json.
var offerForm = regexp.MustCompile(`^([a-z][a-z0-9-]*)/[0-9A-Za-z.+-]+\.release\.json$`)

// offeredIn says in which channel a target would be a release; empty: in none.
func offeredIn(target string) (channel string) {
	if m := offerForm.FindStringSubmatch(target); m != nil {
		return m[1]
	}
	return ""
}
