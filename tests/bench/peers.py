def compare(native, directory, pairs):
    return ""
