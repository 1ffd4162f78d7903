package tel

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// Identifiers are opaque strings; distinct types keep a queue from being passed for an agent.
type (
	CallID   string // one call as the box sees it, from first ring to last hang-up
	LegID    string // one party of a call
	OfferID  string // one attempt to give a queued call to one agent
	QueueID  string // a queue as named in the config
	AgentID  string // a person who answers, as named in the config
	DeviceID string // a phone: the user part of its address of record
	TrunkID  string // a SIP carrier account
	LineID   string // a GSM or analog line
	LampID   string // a light on a desk

	CallbackID string // one request to be called back
)

// NewCallID returns an unguessable identifier of 96 random bits.
func NewCallID() CallID { return CallID("c" + random(12)) }

// NewLegID returns an unguessable identifier of 96 random bits.
func NewLegID() LegID { return LegID("l" + random(12)) }

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand.Read never fails since Go 1.24
	return hex.EncodeToString(b)
}

// OutsideParty reports whether a party of a call is a trunk or a line: it is not of the house.
func OutsideParty(party string) bool {
	return strings.HasPrefix(party, "trunk:") || strings.HasPrefix(party, "line:")
}
