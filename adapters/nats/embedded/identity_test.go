package embedded_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
)

// An identity is a key pair with its texts.
type identity struct {
	pair         nkeys.KeyPair
	public, seed string
}

func newIdentity(t testing.TB, create func() (nkeys.KeyPair, error)) identity {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return identity{pair, public, string(seed)}
}

func write(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// identified tests that a server with options lets in whoever has good, and nobody with bad.
func identified(t *testing.T, o server.Options, good, bad recyclingnats.Config) {
	t.Helper()
	o.Host, o.Port, o.JetStream, o.StoreDir, o.NoSigs, o.NoLog = "127.0.0.1", -1, true, t.TempDir(), true, true
	s, err := embedded.StartOptions(&o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	good.URL, bad.URL = s.URL(), s.URL()
	good.BacklogBytes = smallBacklog
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := recyclingnats.Connect(ctx, good)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	ctx, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if client, err := recyclingnats.Connect(ctx, bad); err == nil {
		client.Close()
		t.Error("connected with a wrong identity")
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	identified(t, server.Options{Authorization: "secret"}, recyclingnats.Config{Token: "secret"}, recyclingnats.Config{Token: "guessed"})
}

func TestNKey(t *testing.T) {
	t.Parallel()
	me, other := newIdentity(t, nkeys.CreateUser), newIdentity(t, nkeys.CreateUser)
	identified(t, server.Options{Nkeys: []*server.NkeyUser{{Nkey: me.public}}},
		recyclingnats.Config{NKey: write(t, me.seed)}, recyclingnats.Config{NKey: write(t, other.seed)})
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	operator := newIdentity(t, nkeys.CreateOperator)
	resolver := &server.MemAccResolver{}
	account := func(limits jwt.JetStreamLimits) identity {
		a := newIdentity(t, nkeys.CreateAccount)
		claims := jwt.NewAccountClaims(a.public)
		claims.Limits.JetStreamLimits = limits
		token, err := claims.Encode(operator.pair)
		if err != nil {
			t.Fatal(err)
		}
		if err := resolver.Store(a.public, token); err != nil {
			t.Fatal(err)
		}
		return a
	}
	// credentials are those of a user that has been signed with a key.
	credentials := func(signer nkeys.KeyPair) string {
		u := newIdentity(t, nkeys.CreateUser)
		token, err := jwt.NewUserClaims(u.public).Encode(signer)
		if err != nil {
			t.Fatal(err)
		}
		b, err := jwt.FormatUserConfig(token, []byte(u.seed))
		if err != nil {
			t.Fatal(err)
		}
		return write(t, string(b))
	}
	system := account(jwt.JetStreamLimits{})
	all := account(jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1})
	stranger := newIdentity(t, nkeys.CreateAccount)
	identified(t, server.Options{TrustedKeys: []string{operator.public}, AccountResolver: resolver, SystemAccount: system.public},
		recyclingnats.Config{Credentials: credentials(all.pair)}, recyclingnats.Config{Credentials: credentials(stranger.pair)})
}
