"""Opens Windows' energy meters through SetupAPI and DeviceIoControl, with ctypes only."""

from __future__ import annotations

import sys

from eco_dask.energy.readers.emi import EmiPort

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _GENERIC_READ = 0x80000000
    _SHARE_READ_WRITE = 0x3
    _OPEN_EXISTING = 3
    _PRESENT_INTERFACES = 0x12
    _INVALID_HANDLE = ctypes.c_void_p(-1).value
    #: sizeof(SP_DEVICE_INTERFACE_DETAIL_DATA_W): 8 on 64 bits, 6 on 32; its text begins at 4.
    _DETAIL_SIZE = 8 if ctypes.sizeof(ctypes.c_void_p) == 8 else 6  # noqa: PLR2004  pointer bytes
    _DETAIL_TEXT_AT = 4

    class _Guid(ctypes.Structure):
        _fields_ = (
            ("data1", wintypes.DWORD),
            ("data2", wintypes.WORD),
            ("data3", wintypes.WORD),
            ("data4", ctypes.c_ubyte * 8),
        )

    class _Interface(ctypes.Structure):
        _fields_ = (
            ("size", wintypes.DWORD),
            ("guid", _Guid),
            ("flags", wintypes.DWORD),
            ("reserved", ctypes.c_size_t),
        )

    #: GUID_DEVICE_ENERGY_METER of ``emi.h``.
    _METER = _Guid(
        0x45BD8344,
        0x7ED6,
        0x49CF,
        (ctypes.c_ubyte * 8)(0xA4, 0x40, 0xC2, 0x76, 0xC9, 0x33, 0xB0, 0x53),
    )

    class _Windows:
        """The two libraries, with their argument types, so that handles keep 64 bits."""

        def __init__(self) -> None:
            self._setup = ctypes.WinDLL("setupapi", use_last_error=True)
            self._kernel = ctypes.WinDLL("kernel32", use_last_error=True)
            self._setup.SetupDiGetClassDevsW.restype = ctypes.c_void_p
            self._kernel.CreateFileW.restype = ctypes.c_void_p

        def paths(self) -> list[str]:
            """See :class:`~eco_dask.energy.readers.emi.EmiPort`."""
            listed = self._setup.SetupDiGetClassDevsW(
                ctypes.byref(_METER), None, None, _PRESENT_INTERFACES
            )
            if listed == _INVALID_HANDLE:
                raise ctypes.WinError(ctypes.get_last_error())
            handle = ctypes.c_void_p(listed)
            try:
                return self._listed(handle)
            finally:
                self._setup.SetupDiDestroyDeviceInfoList(handle)

        def _listed(self, handle: ctypes.c_void_p) -> list[str]:
            paths: list[str] = []
            entry = _Interface(size=ctypes.sizeof(_Interface))
            while self._setup.SetupDiEnumDeviceInterfaces(
                handle, None, ctypes.byref(_METER), len(paths), ctypes.byref(entry)
            ):
                paths.append(self._path(handle, entry))
            return paths

        def _path(self, handle: ctypes.c_void_p, entry: _Interface) -> str:
            size = wintypes.DWORD(0)
            self._setup.SetupDiGetDeviceInterfaceDetailW(
                handle, ctypes.byref(entry), None, 0, ctypes.byref(size), None
            )
            detail = ctypes.create_string_buffer(max(size.value, _DETAIL_SIZE))
            ctypes.cast(detail, ctypes.POINTER(wintypes.DWORD))[0] = _DETAIL_SIZE
            if not self._setup.SetupDiGetDeviceInterfaceDetailW(
                handle, ctypes.byref(entry), detail, size, None, None
            ):
                raise ctypes.WinError(ctypes.get_last_error())
            return ctypes.wstring_at(ctypes.addressof(detail) + _DETAIL_TEXT_AT)

        def request(self, path: str, code: int, size_bytes: int) -> bytes:
            """See :class:`~eco_dask.energy.readers.emi.EmiPort`."""
            opened = self._kernel.CreateFileW(
                ctypes.c_wchar_p(path),
                wintypes.DWORD(_GENERIC_READ),
                wintypes.DWORD(_SHARE_READ_WRITE),
                None,
                wintypes.DWORD(_OPEN_EXISTING),
                wintypes.DWORD(0),
                None,
            )
            if opened == _INVALID_HANDLE:
                raise ctypes.WinError(ctypes.get_last_error())
            handle = ctypes.c_void_p(opened)
            try:
                answer = ctypes.create_string_buffer(size_bytes)
                length = wintypes.DWORD(0)
                if not self._kernel.DeviceIoControl(
                    handle,
                    wintypes.DWORD(code),
                    None,
                    wintypes.DWORD(0),
                    answer,
                    wintypes.DWORD(size_bytes),
                    ctypes.byref(length),
                    None,
                ):
                    raise ctypes.WinError(ctypes.get_last_error())
                return answer.raw[: length.value]
            finally:
                self._kernel.CloseHandle(handle)

    def windows_port() -> EmiPort | None:
        """The meters of this Windows machine."""
        return _Windows()

else:

    def windows_port() -> EmiPort | None:
        """None: this is no Windows machine."""
        return None
