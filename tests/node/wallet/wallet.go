// Package wallet signs transactions as spec/blobvm.md 1 and 3 say: written anew here, so that the
// plugin's own encoder and signer are not their own witnesses.
package wallet

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/ava-labs/avalanchego/ids"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"
)

// Magic is the genesis magic of every chain of these tests.
const Magic = 1337

// Address is the last 20 bytes of a public key's hash.
type Address [20]byte

// String is the address as JSON-RPC and blob-cli take it.
func (a Address) String() string { return "0x" + hex.EncodeToString(a[:]) }

// Account is one of many addresses that own nothing at genesis.
func Account(number int) Address {
	return Address{0xac, byte(number >> 8), byte(number)}
}

// Wallet is the key of one account.
type Wallet struct{ key *secp256k1.PrivateKey }

func newWallet(hexKey string) Wallet {
	bytes, err := hex.DecodeString(hexKey)
	if err != nil {
		panic(err)
	}
	return Wallet{secp256k1.PrivKeyFromBytes(bytes)}
}

// Rich owns everything at genesis.
var Rich = newWallet("a1c0bd71ff64aebd666b04db0531d61479c2c031e4de38410de0609cbd6e66f0")

// HexKey is the key as the file of blob-cli holds it.
func (w Wallet) HexKey() string { return hex.EncodeToString(w.key.Serialize()) }

// Address is the account's.
func (w Wallet) Address() Address {
	return Address(Keccak(w.key.PubKey().SerializeUncompressed()[1:])[12:])
}

// Transfer is a signed transaction that brings units to another address; recent is the inner ID of
// a block within the lookback window.
func (w Wallet) Transfer(to Address, units, price uint64, recent ids.ID) []byte {
	tx := binary.BigEndian.AppendUint16(nil, 0)
	tx = binary.BigEndian.AppendUint32(tx, 2)
	tx = append(tx, recent[:]...)
	tx = binary.BigEndian.AppendUint64(tx, Magic)
	tx = binary.BigEndian.AppendUint64(tx, price)
	tx = append(tx, to[:]...)
	tx = binary.BigEndian.AppendUint64(tx, units)

	message := Keccak(
		Keccak([]byte("transfer(address to,uint64 units,uint64 price,string blockID)")),
		make([]byte, 12), to[:], word(units), word(price), Keccak([]byte(recent.String())),
	)
	return append(tx, w.sign(message)...)
}

// sign is the length and the 65 bytes r || s || v.
func (w Wallet) sign(structHash []byte) []byte {
	domain := Keccak(
		Keccak([]byte("EIP712Domain(string name,uint64 magic)")),
		Keccak([]byte("Blob")), word(Magic),
	)
	digest := Keccak([]byte{0x19, 0x01}, domain, structHash)
	compact := ecdsa.SignCompact(w.key, digest, false) // v || r || s
	signature := append(compact[1:], compact[0])
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(signature))), signature...)
}

// Keccak is keccak-256 of all parts together.
func Keccak(parts ...[]byte) []byte {
	hash := sha3.NewLegacyKeccak256()
	for _, part := range parts {
		hash.Write(part)
	}
	return hash.Sum(nil)
}

// word is a number as 32 bytes.
func word(n uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 24), n)
}
