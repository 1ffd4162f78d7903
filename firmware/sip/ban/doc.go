// Package ban refuses addresses that guess passwords or search for accounts. It counts by source,
// one IPv4 address or the /64 of an IPv6 host, never by account, so that nobody can lock out an
// owner by guessing at the owner's name.
//
// Networks differ. From outside, a banned source is not read at all, for a time that grows with each
// ban. On the LAN only its logins are refused, and for minutes: the guesser there is a phone with an
// old password, somebody has to stand in front of it, and its emergency calls must pass. Networks
// that are never banned are counted by nobody. A phone that has proved itself and speaks from the
// very address and port of its registration is served whatever others behind its address do.
//
// What can be forged counts less: datagrams that nobody answered a challenge for can carry any
// sender, so searching never bans an address behind which a phone is registered.
package ban
