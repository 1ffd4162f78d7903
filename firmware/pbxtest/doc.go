// Package pbxtest starts a whole office from its real programs and real telephones (baresip, SIPp) and
// reads what it says about itself, for end-to-end tests. Nothing it starts outlives the test.
package pbxtest
