"""threadpoolctl knows the threads of fastact: `threadpool_info` lists them, and `threadpool_limits` limits their number.

threadpoolctl need not be installed. Where it is, fastact registers with it as soon as both are imported, in either order.
"""

import importlib.abc
import sys

from . import threads


def register():
    """Register with threadpoolctl, which has been imported."""
    from threadpoolctl import LibController
    from threadpoolctl import register as add

    from . import __version__

    class FastactController(LibController):
        """The pool of the compiled core."""

        user_api = internal_api = "fastact"
        filename_prefixes = ("_core",)
        check_symbols = ("fastact_set_threads",)

        def get_num_threads(self):
            return threads.get_num_threads()

        def set_num_threads(self, num_threads):
            threads.limit(num_threads)

        def get_version(self):
            return __version__

    add(FastactController)


class Watch(importlib.abc.MetaPathFinder):
    """Waits for the import of threadpoolctl."""

    def find_spec(self, name, path=None, target=None):
        """Find threadpoolctl as the other finders do, with a loader that registers afterwards. No other module is found here."""
        if name != "threadpoolctl":
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in others if spec), None)
        if spec and spec.loader:
            spec.loader = Loader(spec.loader, self)
        return spec


class Loader(importlib.abc.Loader):
    """Loads a module by another loader, and registers then."""

    def __init__(self, loader, watch):
        self.loader, self.watch = loader, watch

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        """Leave it to the other loader."""
        return self.loader.create_module(spec)

    def exec_module(self, module):
        """Load the module, which keeps the other loader."""
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        if self.watch in sys.meta_path:
            sys.meta_path.remove(self.watch)
            register()


def begin():
    """Register now or later."""
    if "threadpoolctl" in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, Watch())
