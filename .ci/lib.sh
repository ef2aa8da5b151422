# Functions that .ci/install and .ci/release share. Both run in the root of the repository.

own=github.com/recycling-go/recycling

# Our modules, each after those that it requires. Users import the libraries and run the other
# modules.
libraries=(listener core adapters/* adapters/nats/embedded)
modules=("${libraries[@]}" examples bench)

# requires lists which of our own modules the go.mod in the current folder requires.
requires() {
	sed -n "s|^.*[[:space:]]*\($own/[^ ]*\) v[0-9].*|\1|p" go.mod
}

# set_versions VERSION sets the version of the tree in the current folder. Replace directives stay,
# so that the modules still work together.
set_versions() {
	local dir path
	sed -i "s/^const release = .*/const release = \"$1\"/" core/version.go
	for dir in "${modules[@]}"; do
		for path in $(cd "$dir" && requires); do
			go mod edit -require "$path@$1" "$dir/go.mod"
		done
	done
}

# publish PROXY VERSION DIR... adds modules to PROXY, a folder for GOPROXY.
publish() {
	[[ -x $1/modproxy ]] || GOFLAGS=-buildvcs=false GOWORK=off go build -C .ci/modproxy -o "$1/modproxy" .
	"$1/modproxy" "$@"
}

# publish_all PROXY VERSION removes the replace directives from the tree in the current folder,
# whose versions are set, and adds its modules to PROXY. "go run PACKAGE@VERSION" refuses a module
# with replace directives, and go.sum has no checksums of replaced modules.
publish_all() {
	local dir path
	for dir in "${modules[@]}"; do
		for path in $(sed -n "s|.*\($own/[^ ]*\) => .*|\1|p" "$dir/go.mod"); do
			go mod edit -dropreplace "$path" "$dir/go.mod"
		done
		(cd "$dir" && go mod tidy)
		publish "$1" "$2" "$dir"
	done
}

# copy_tree TO copies the files of the work tree that git tracks or would add.
copy_tree() {
	git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'ls -d -- "$@" 2>/dev/null' - | tar c -T - | tar x -C "$1"
	git -C "$1" init -q
}

# use_proxy PROXY lets the go command take our modules from PROXY, and others from what was
# downloaded before or from their origin, and store them in a separate, empty module cache.
use_proxy() {
	local_proxy=file://$1,file://$(go env GOMODCACHE)/cache/download
	GOPROXY=$local_proxy,$(go env GOPROXY)
	# Without -trimpath, everything would be compiled again for another folder.
	GOFLAGS="$(go env GOFLAGS) -mod=mod -modcacherw -trimpath"
	export GOPROXY GOFLAGS GOWORK=off GOSUMDB=off GOMODCACHE=$1/modcache
}
