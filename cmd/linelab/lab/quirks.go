package lab

import (
	"fmt"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
)

// Quirks makes a carrier that behaves as the quirks of a preset say. Number is the office's, where the
// carrier insists on it. Names that say how an office is set up, and not what a carrier does, change
// nothing.
func Quirks(names []string, number string) (peer.Quirks, error) {
	var q peer.Quirks
	for _, name := range names {
		switch name {
		case "challenge_all":
			q.ChallengeAll = true
		case "did_in_to":
			q.DIDInTo = true
		case "digest_401":
			q.FreshNonce = true
		case "from_number":
			q.FromUser = number
		case "g729_first":
			q.Payloads = []int{18, 8, 0}
		case "g729_only":
			q.Payloads = []int{18}
		case "no_fetch_bindings":
			q.NoFetch = true
		case "number_e164":
			q.E164, q.FromUser = true, number
		case "outbound_proxy":
			q.ProxyOnly = true
		case "prack_required":
			q.Demand100rel = true
		case "rpid_and_pai":
			q.Need = []string{"P-Asserted-Identity", "Remote-Party-ID"}
		case "single_registration":
			q.Single = true
		case "srtp_sdes":
			q.Secure = true
		case "alternate_port_5061", "ask_platform", "contact_only", "customer_domain", "no_alg", "no_auth", "no_contact_rewrite",
			"port_5083", "slow_retry", "update_required", "vad_off":
		default:
			return q, fmt.Errorf("%q is no quirk", name)
		}
	}
	return q, nil
}

// ParseQuirks reads "name,name"; the empty list has none.
func ParseQuirks(list, number string) (peer.Quirks, error) {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name != "" {
			names = append(names, name)
		}
	}
	return Quirks(names, number)
}
