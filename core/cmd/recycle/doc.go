// Recycle runs the go command so that every http.Server of the programs that it builds is served on
// recycled workers. No file of the application changes, neither its source nor go.mod, go.sum,
// go.work or the vendor folder.
//
//	recycle [flags] build|run|test|install [flags of the go command] [packages]
//	recycle [flags] env [flags of go build] [packages]
//	recycle [flags] doctor [flags of go list] [packages]
//
// It need not be installed:
//
//	go run github.com/recycling-go/recycling/core/cmd/recycle@VERSION build ./cmd/app
//
// build, run, test and install take the flags and packages that the go command takes, in modules,
// workspaces and vendored applications, and have its exit code. run and install also take packages
// with a version, such as example.com/app@latest. For test, package auto is linked to each test
// program, so that http.Servers and httptest.Servers of the tests run on recycled workers.
//
// env prints what a shell must set so that go build does the same. It is valid for the packages
// given, with the present go.mod, and as long as the folder of flag -dir exists.
//
// doctor lists each place where the packages, or those that they depend on, can start a server, and
// says what will happen to it. It does not know whether the program reaches that place.
//
// The flags are:
//
//	-core FOLDER  build with the module core in this folder, rather than the version that this
//	              command is part of
//	-dir FOLDER   keep files for the go command here; by default in the user's folder for caches
//	              (os.UserCacheDir). This command does not delete them, but you can at any time
//	-force        try a Go version that has not been tested
//	-x            print the go command before running it
//
// The documentation of package auto says what the programs do differently, and which environment
// variables switch that off.
//
// # How it works
//
// The go command gets an overlay (go help build), in which net/http has hooks and each package main
// has one more file, which imports package auto. Package nethook, in core/internal, says where the
// hooks go. It refuses a net/http that is not as expected.
//
// How the module core gets into the build depends on the application:
//
//   - A module: flag -modfile names a copy of go.mod, with a copy of go.sum beside it, that
//     requires core and what core requires. If the version in its go line is older than core's, it
//     is raised, and a godebug line keeps the defaults of GODEBUG.
//   - A module whose go line has a version before 1.22: a temporary workspace (GOWORK) contains it
//     and a module that requires core. The application's own go line stays, and with it the meaning
//     of its loops. But in a workspace the go command considers the requirements of all
//     dependencies, and so it may select newer versions of them, and need their go.mod files.
//   - A workspace: a copy of go.work that also has such a module.
//   - A vendor folder: a temporary workspace with a vendor folder of symbolic links. The packages
//     of core are in modules that vendor/modules.txt does not mark as explicit, and no go.mod has
//     to require those. The overlay cannot do this, since the go command reads modules.txt without
//     it.
//   - A package with a version: a temporary workspace in which its module is replaced by a copy,
//     since nothing in the module cache can be replaced.
//
// In all cases, go version -m lists core like any other module. It would not if the overlay put the
// packages of core into the standard library under other names, so that was rejected.
//
// A program contains one version of core: the newest of those that the application, its
// dependencies and this command require. If the application replaces core, its replacement is
// taken. An http.Server that the application itself passes to package recycling is left alone.
//
// The go command caches what it builds: the files of the overlay have the same names as long as
// they have the same contents. A second build compiles nothing.
//
// Limits:
//
//   - Servers that an init function starts and waits for are served by net/http: see package auto.
//   - A plugin (-buildmode=plugin) and the program that opens it must both be built by this
//     command.
//   - With a vendor folder, -modfile cannot be used, and symbolic links must be possible.
//   - If GOTOOLCHAIN has selected a downloaded toolchain, the go command runs with GOROOT set to a
//     symbolic link to it, because files in the module cache cannot be replaced.
package main
